class Hall:
    pass
