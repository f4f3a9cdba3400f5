"""The workspace: folders, notebooks and files of the users, and the runtime that their code sees."""
