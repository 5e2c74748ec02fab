import { blank } from './blank.ts'
import type { Disk, DiskFile } from './disk.ts'
import type { Recovered } from './recovery.ts'
import { SECTOR } from './sectors.ts'

/**
 * Carries out what recovery decided, and makes durable what it believed: a process that was killed leaves bytes that can be
 * read and yet are gone after a power cut, and this member is about to act on them.
 *
 * Nothing is merely synced. After a failed write or sync the kernel may take pages for clean that the disk does not have: what
 * is read is then not what a power cut leaves. In doubt is only the last write, since each one before it was durable when it was
 * begun; so the last frame is written once more, and so are the zeros behind it, to the segment's end.
 *
 * Leftovers go last: until the directory is synced, an older snapshot may be the only one that a power cut leaves.
 */
export async function settle(disk: Disk, { last, end, leftovers }: Recovered): Promise<DiskFile> {
  const file = await disk.open(last.name)
  if (end.lastFrame) await file.writeDurably(end.lastFrame.sector * SECTOR, end.lastFrame.bytes)
  await blank(file, end.sector, last.header.sectors - end.sector)
  await file.sync()
  await disk.syncDirectory()
  for (const name of leftovers) await disk.remove(name)
  return file
}
