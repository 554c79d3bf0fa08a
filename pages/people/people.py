"""Who may use the dashboard: a list of people with their roles, and for admins to add, change and remove people."""

import streamlit as st

from credits_core import settings
from credits_core.access import people
from credits_core.values.roles import May, PersonRole
from pages.parts import head, resources, sign_in, who, words
from pages.people import changing, tables

ABOUT = """
Everybody in this list may sign in with the address that stands there. Whoever a domain lets in is listed from the first
sign-in on. What a person may do follows from the roles;
whoever has several may do what any of them may. A change takes effect within a minute, also in an open tab. Every
change is kept with who made it.
"""

with head.line("People", "See who may use this dashboard, and as what.", about=ABOUT):
    pass

with st.skeleton(), resources.reading() as connection:
    everybody = people.list_people(connection, domains=settings.sign_in_domains())

may_manage = May.MANAGE in who.actor().may
if not sign_in.is_on():
    st.info(
        "Nobody needs a role. `docs/sign-in.md` says how to turn it on. Add an admin before you do.",
        title="Sign-in is off",
        icon=":material/info:",
    )
if may_manage:
    changing.add_form()
else:
    admins = [words.plain(one.email) for one in everybody if PersonRole.ADMIN in one.roles]
    ask = f"Ask {', '.join(admins)}" if admins else "Ask whoever runs `python -m credits_core people add`"
    st.info(
        f"{ask} to add somebody or to change a role.",
        title="Only admins change this list",
        icon=":material/info:",
    )
if domains := settings.sign_in_domains():
    st.caption(f"Also let in, as viewers: all of {words.plain(', '.join(sorted(domains)))}.")
tables.everybody(everybody, may_manage=may_manage)
with st.expander("What each role may do", icon=":material/rule:"):
    tables.roles()
