"""`python -m emoclip_clinic` is the command `emoclip-clinic`."""

from emoclip_clinic.cli import main

main()
