from tests import pace

pace.shorten()
pace.slow_down()
