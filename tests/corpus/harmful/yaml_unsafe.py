import yaml

yaml.load(open("inputs/config.yaml"), Loader=yaml.UnsafeLoader)
