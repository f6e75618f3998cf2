import tkinter

tkinter.Tk().clipboard_get()
