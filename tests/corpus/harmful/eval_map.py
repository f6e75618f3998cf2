list(map(eval, ["1+1", "__import__('os').getcwd()"]))
