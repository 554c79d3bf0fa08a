"""The only shared Streamlit code: the cached engine, running one action, formatting and charts."""
