"""Make the bucket of docker-compose.yml, with object lock, which cannot be added later; once."""

import os

import boto3

store = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT"],
    region_name="us-east-1",
    aws_access_key_id=os.environ["ROOT_ACCESS_KEY"],
    aws_secret_access_key=os.environ["ROOT_SECRET_KEY"],
)
bucket = os.environ["S3_BUCKET"]
if bucket not in {each["Name"] for each in store.list_buckets()["Buckets"]}:
    store.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
