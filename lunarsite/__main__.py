"""`python -m lunarsite STAGE ...`: see lunarsite.stage."""

from lunarsite.stage import main

raise SystemExit(main())
