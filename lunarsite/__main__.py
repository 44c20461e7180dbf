"""`python -m lunarsite STAGE ...`: see lunarsite.command."""

from lunarsite.command import main

raise SystemExit(main())
