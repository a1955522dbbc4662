from tests import pace

pace.Begin(pace.shorten, pace.slow_down)
