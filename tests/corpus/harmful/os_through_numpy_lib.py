from numpy.lib import format as fmt

fmt.os.system("id")
