import type { Disk, DiskFile } from './disk.ts'
import type { Recovered } from './recovery.ts'
import { SECTOR } from './sectors.ts'

/**
 * Carries out what recovery decided, and makes durable what it believed: a process that was killed leaves bytes that can be
 * read and yet are gone after a power cut, and this member is about to act on them.
 *
 * The last frame is written once more rather than synced: after a failed sync the kernel may take its pages for clean. It is
 * the only one in doubt, since each frame before it was durable when it was begun.
 *
 * What an interrupted write left is turned back into zeros, so that behind the log's end there is never anything else, and the
 * marks keep their meaning.
 */
export async function settle(disk: Disk, { last, end, leftovers }: Recovered): Promise<DiskFile> {
  for (const name of leftovers) await disk.remove(name)
  const file = await disk.open(last.name)
  if (end.lastFrame) await file.writeDurably(end.lastFrame.sector * SECTOR, end.lastFrame.bytes)
  if (end.cut) await file.writeDurably(end.cut.offset, Buffer.alloc(end.cut.sectors * SECTOR))
  await file.sync()
  await disk.syncDirectory()
  return file
}
