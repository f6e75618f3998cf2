access = "user"
if access != "none‮⁦":  # check if admin⁩ ⁦
    print("admin")
