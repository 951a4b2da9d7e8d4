"""``nox -s report``: one offline HTML page about what the last runs left in ``build/``."""
