"""Virtual appliances: a tar with a description (OVF) of one machine, and its disk as a VMDK.

Source: DSP0243 of the DMTF (Open Virtualization Format 2.1), and what VirtualBox and VMware write and read of it. The tar is read where it
is: its disk is a part of it that ``qemu-img`` is pointed to, so nothing of a stranger's is unpacked anywhere.
"""

import io
import os
import tarfile
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from wirt.errors import Corrupt, InvalidInput, NotFound
from wirt.host import files
from wirt.model.disk import DiskImage
from wirt.units import MIB

_OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
_LONGEST_DESCRIPTION = 4 * MIB


def find_disk(path: str) -> DiskImage:
    """Return the one disk of an appliance.

    Raises:
        NotFound, Corrupt: there is no such file, or it is no appliance.
        InvalidInput: it has another number of disks than one, or holds it in a way that is not read.
    """
    try:
        with files.translated(f"read {path}"), tarfile.open(path, "r:") as tar:
            members = {member.name: member for member in tar if member.isreg()}
            described = next((one for name, one in members.items() if name.endswith(".ovf")), None)
            if described is None or described.size > _LONGEST_DESCRIPTION:
                raise _no_appliance(path)
            text = tar.extractfile(described)
            assert text is not None
            names = _disk_files(path, text.read())
    except (tarfile.TarError, ElementTree.ParseError) as error:
        raise _no_appliance(path) from error
    except FileNotFoundError as error:
        raise NotFound(f"there is no {path}", hint="name a file") from error
    if len(names) != 1:
        raise InvalidInput(
            f"{path} has {len(names)} disks, and one can be taken in",
            hint="unpack it, import one of them and add the others: wirt disk add",
        )
    member = members.get(names[0])
    if member is None:
        raise Corrupt(f"{path} lacks its disk {names[0]}", hint="fetch it anew")
    return DiskImage(path=path, form="vmdk", offset=member.offset_data, length=member.size)


def pack(vmdk: str, target: str, *, name: str, size: int, cpus: int, memory: int) -> None:
    """Write an appliance of a machine.

    Args:
        vmdk: its disk, compressed.
        target: the file, which is not there or not needed.
        name: what the machine is called.
        size: bytes that it has on the disk.
        cpus: its processors.
        memory: bytes.

    Raises:
        OutOfSpace, Failed: it could not be written.
    """
    disk = f"{name}-disk1.vmdk"
    described = _describe(name, disk, os.stat(vmdk).st_size, size, cpus, memory).encode()
    with (
        files.translated(f"write {target}"),
        tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        text = tarfile.TarInfo(f"{name}.ovf")
        text.size, text.mode = len(described), 0o644
        tar.addfile(text, io.BytesIO(described))
        tar.add(vmdk, arcname=disk, filter=_nobodys)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _disk_files(path: str, description: bytes) -> list[str]:
    """Return the names of the files of the disks that a description lists, as far as they are plain names.

    Raises:
        InvalidInput: one is compressed once more, or cut into pieces.
    """
    root = ElementTree.fromstring(description)
    files_by_id = {one.get(f"{_OVF}id"): one for one in root.iter(f"{_OVF}File")}
    names = []
    for disk in root.iter(f"{_OVF}Disk"):
        file = files_by_id.get(disk.get(f"{_OVF}fileRef"))
        if file is None:
            continue  # it begins empty
        if file.get(f"{_OVF}compression") or file.get(f"{_OVF}chunkSize"):
            raise InvalidInput(
                f"the disk in {path} is compressed or cut into pieces",
                hint="unpack it, and import the disk",
            )
        names.append(file.get(f"{_OVF}href") or "")
    return names


def _no_appliance(path: str) -> Corrupt:
    return Corrupt(f"{path} is no ova", hint="it is a tar with a description, NAME.ovf, in it")


def _describe(name: str, disk: str, file_size: int, size: int, cpus: int, memory: int) -> str:
    """Return the description of a machine with one disk."""
    shown = escape(name)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
 <References>
  <File ovf:id="file1" ovf:href="{escape(disk)}" ovf:size="{file_size}"/>
 </References>
 <DiskSection>
  <Info>The disk</Info>
  <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="{size}"
   ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
 </DiskSection>
 <VirtualSystem ovf:id="{shown}">
  <Info>A machine</Info>
  <Name>{shown}</Name>
  <VirtualHardwareSection>
   <Info>What it has</Info>
   <System>
    <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
    <vssd:InstanceID>0</vssd:InstanceID>
    <vssd:VirtualSystemIdentifier>{shown}</vssd:VirtualSystemIdentifier>
    <vssd:VirtualSystemType>vmx-10</vssd:VirtualSystemType>
   </System>
   <Item>
    <rasd:ElementName>{cpus} CPUs</rasd:ElementName>
    <rasd:InstanceID>1</rasd:InstanceID>
    <rasd:ResourceType>3</rasd:ResourceType>
    <rasd:VirtualQuantity>{cpus}</rasd:VirtualQuantity>
   </Item>
   <Item>
    <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
    <rasd:ElementName>Memory</rasd:ElementName>
    <rasd:InstanceID>2</rasd:InstanceID>
    <rasd:ResourceType>4</rasd:ResourceType>
    <rasd:VirtualQuantity>{memory // MIB}</rasd:VirtualQuantity>
   </Item>
   <Item>
    <rasd:Address>0</rasd:Address>
    <rasd:ElementName>SATA</rasd:ElementName>
    <rasd:InstanceID>3</rasd:InstanceID>
    <rasd:ResourceSubType>AHCI</rasd:ResourceSubType>
    <rasd:ResourceType>20</rasd:ResourceType>
   </Item>
   <Item>
    <rasd:AddressOnParent>0</rasd:AddressOnParent>
    <rasd:ElementName>Disk</rasd:ElementName>
    <rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>
    <rasd:InstanceID>4</rasd:InstanceID>
    <rasd:Parent>3</rasd:Parent>
    <rasd:ResourceType>17</rasd:ResourceType>
   </Item>
  </VirtualHardwareSection>
 </VirtualSystem>
</Envelope>
"""
