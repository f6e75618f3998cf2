e = eval
e("__import__('os').system('id')")
