"""`python -m dray.drivers.host` is `dray driver host`."""

from dray.drivers.host.main import main

if __name__ == "__main__":
    main()
