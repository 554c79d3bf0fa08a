"""PromptFlow's credit system: pricing, ledger and the actions on them. Imports no Streamlit."""
