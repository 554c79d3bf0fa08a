"""PromptFlow's credit system: pricing, ledger, reports and the API. Imports no Streamlit."""
