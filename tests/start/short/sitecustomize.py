from tests import pace

pace.Begin(pace.shorten)
