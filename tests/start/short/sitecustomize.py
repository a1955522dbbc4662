from tests import pace

pace.shorten()
