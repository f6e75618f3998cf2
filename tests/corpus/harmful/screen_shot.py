from PIL import ImageGrab

ImageGrab.grab().save("outputs/screen.png")
