"""What the product does by itself: each job with its last runs, and the backups with what was proved of them."""

from pages.operations import backups, health, jobs, running, wrong_now
from pages.parts import head

ABOUT = """
Jobs run by themselves in one of all servers: sums, seals, audits, backups and cleaning up. When that server dies,
another takes over within a minute. A job that never ran begins within half an hour after a start. A backup is called
good only after a drill: it was restored into a scratch place and proved there.
"""

with head.line("Operations", "See what runs by itself, and whether it works.", about=ABOUT):
    pass
running.carry_out()
wrong_now.show()
jobs.draw()
backups.draw()
health.draw()
