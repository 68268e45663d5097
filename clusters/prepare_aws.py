"""What clusters/gpu.yaml needs of an AWS account, once: a bucket, roles, a firewall, an image's id.

    python clusters/prepare_aws.py --bucket BUCKET --from MY.OWN.ADDRESS/32

What is there already stays as it is. Nothing of it costs anything until something is stored or
runs.
"""

import argparse
import ipaddress
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

REGION = "us-east-1"
"""of clusters/gpu.yaml"""
GROUP = "ssmpe"
HEAD, WORKER = "ssmpe-head", "ssmpe-worker"
IMAGE = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) *"
"""names of AWS's own images that have Docker and NVIDIA's driver"""

_THERE = ("EntityAlreadyExists", "BucketAlreadyOwnedByYou", "InvalidPermission.Duplicate")
_LAUNCH = ["ec2:Describe*", "ec2:RunInstances", "ec2:TerminateInstances", "ec2:CreateTags"]


def _unless_there(call: Callable[..., Any], **arguments: Any) -> None:
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _THERE:
            raise


def _policy(*statements: dict[str, Any]) -> str:
    allowed = [{"Effect": "Allow", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def _role(iam: Any, name: str, rights: str) -> None:
    """Make a role for machines, with those rights and no others."""
    trust = _policy(
        {"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    )
    _unless_there(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=name, PolicyName="ssmpe", PolicyDocument=rights)
    _unless_there(iam.create_instance_profile, InstanceProfileName=name)
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    if not profile["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _roles(iam: Any, bucket: str) -> None:
    """Make roles: workers reach the bucket; the head does, too, and starts and ends workers."""
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    storage = {"Action": "s3:*", "Resource": arns}
    _role(iam, WORKER, _policy(storage))
    worker = iam.get_role(RoleName=WORKER)["Role"]["Arn"]
    pass_on = {"Action": "iam:PassRole", "Resource": worker}
    # of spot machines, made by the first of them in an account
    spot = {
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": "arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/*",
    }
    _role(iam, HEAD, _policy(storage, {"Action": _LAUNCH, "Resource": "*"}, pass_on, spot))


def _group(ec2: Any, door: str) -> str:
    """Make a group that ssh enters from ``door``, and whose members reach each other; its id."""
    named = [{"Name": "group-name", "Values": [GROUP]}]
    found = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    group = found[0] if found else ec2.create_security_group(GroupName=GROUP, Description=GROUP)
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": door}]}
    members = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group["GroupId"]}]}
    for rule in (ssh, members):
        _unless_there(
            ec2.authorize_security_group_ingress, GroupId=group["GroupId"], IpPermissions=[rule]
        )
    return group["GroupId"]


def _image(ec2: Any) -> str:
    """Return the id of the newest image."""
    named = [{"Name": "name", "Values": [IMAGE]}]
    found = ec2.describe_images(Owners=["amazon"], Filters=named)["Images"]
    if not found:
        sys.exit(f"no image named {IMAGE!r} in this region; look for one with driver 580 or later")
    return max(found, key=lambda image: image["CreationDate"])["ImageId"]


def _bucket(s3: Any, name: str, region: str) -> None:
    """Make a bucket that nobody else can read."""
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    _unless_there(s3.create_bucket, Bucket=name, **({} if region == "us-east-1" else place))
    closed = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=closed)


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.num_addresses > 2**16 or network.version != 4:
        raise argparse.ArgumentTypeError(f"{text} is no IPv4 network of your own, as 192.0.2.7/32")
    return str(network)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--from", dest="door", required=True, type=_network, metavar="NETWORK")
    parser.add_argument("--region", default=REGION)
    given = parser.parse_args(arguments)
    ec2, iam, s3 = (boto3.client(name, region_name=given.region) for name in ("ec2", "iam", "s3"))
    try:
        image = _image(ec2)
        _bucket(s3, given.bucket, given.region)
        _roles(iam, given.bucket)
        group = _group(ec2, given.door)
    except (BotoCoreError, ClientError) as error:
        print(f"AWS refuses: {error}", file=sys.stderr)
        return 1
    print(f"in clusters/gpu.yaml: ami-EDIT: {image}, sg-EDIT: {group}, BUCKET-EDIT: {given.bucket}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
