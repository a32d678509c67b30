"""``python -m simulator.site --config FILE``."""

from simulator.site.app import main

if __name__ == "__main__":
    raise SystemExit(main())
