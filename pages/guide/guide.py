"""Shows a page of the guide, with its pictures in the theme of the browser; nothing comes from another machine."""

import streamlit as st

from pages.guide import blocks
from pages.parts import guidance, head

ABOUT = """
The guide of this dashboard: one short page for each task, with pictures of the screens. The numbers in it are those of
a demo month that ended on 2026-11-22; yours may differ. The same pages are in the project's folder `docs/guide`.
"""

task = st.query_params.get("task", guidance.INDEX)
with head.line("Guide", "One short page for each task.", about=ABOUT):
    if task != guidance.INDEX:
        guidance.link(guidance.INDEX, label="All tasks")
if task not in guidance.titles():
    st.info("Choose a task from the list.", title="The guide has no such page", icon=":material/search_off:")
    task = guidance.INDEX
# A link from this screen to itself leaves the address without its query.
st.query_params["task"] = task

theme = st.context.theme.type or "light"
for block in blocks.blocks((guidance.FOLDER / f"{task}.md").read_text(encoding="utf-8")):
    match block.kind:
        case "title":
            st.header(block.text, anchor=False)
            with st.container(horizontal=True):
                for file, names in guidance.SCREENS.values():
                    if task in names and task != guidance.INDEX:
                        st.page_link(file, width="content")
        case "heading":
            st.subheader(block.text, anchor=False)
        case "picture":
            st.image(blocks.picture(guidance.FOLDER, block, theme), alt=block.text)
        case "link":
            guidance.link(block.target, label=block.text)
        case "text":
            st.markdown(block.text)
