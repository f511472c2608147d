"""`python -m dray.drivers.example` is `dra-example-kubeletplugin`."""

from dray.drivers.example.main import main

if __name__ == "__main__":
    main()
