import { codeOf, type Disk, type DiskFile } from './disk.ts'
import { LogFailure } from './failure.ts'

/** Codes after which the disk is still what it was, but for the bytes that found no room. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT'])

/**
 * The disk as the log sees it: a failure is `LOG_FULL`, or else the last thing that this disk does.
 *
 * Never retry a failed sync: the kernel reports it once, marks the pages clean, and says yes to the next one though the bytes are
 * not on the disk (Rebello et al., "Can Applications Recover from fsync Failures?", 2020). So the log stops for good; the next
 * process reads what is there, and writes the last frame once more (`settle.ts`).
 */
export function failStop(disk: Disk): Disk {
  let death: LogFailure | undefined

  async function attempt<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (death) throw death
    try {
      return await act()
    } catch (error) {
      const code = codeOf(error)
      if (code !== undefined && NO_ROOM.has(code)) {
        const message = `The disk is full (${what}). Nothing of this batch counts; make room, or hand leadership over.`
        throw new LogFailure('LOG_FULL', message, { cause: error })
      }
      const message = `The disk failed (${what}: ${code ?? 'no code'}). End this process, check the disk, and start again.`
      death ??= new LogFailure('LOG_DEAD', message, { cause: error })
      throw death
    }
  }

  const guarded = (name: string, file: DiskFile): DiskFile => ({
    size: () => attempt(`size of ${name}`, () => file.size()),
    read: (offset, bytes) => attempt(`read of ${name}`, () => file.read(offset, bytes)),
    writeDurably: (offset, bytes) => attempt(`write to ${name}`, () => file.writeDurably(offset, bytes)),
    preallocate: (bytes) => attempt(`preallocation of ${name}`, () => file.preallocate(bytes)),
    sync: () => attempt(`sync of ${name}`, () => file.sync()),
    close: () => file.close().catch(() => undefined), // everything that counts was durable before
  })

  return {
    list: () => attempt('list', () => disk.list()),
    open: async (name) => guarded(name, await attempt(`open of ${name}`, () => disk.open(name))),
    create: async (name) => guarded(name, await attempt(`creation of ${name}`, () => disk.create(name))),
    rename: (from, to) => attempt(`rename of ${from}`, () => disk.rename(from, to)),
    remove: (name) => attempt(`removal of ${name}`, () => disk.remove(name)),
    syncDirectory: () => attempt('sync of the directory', () => disk.syncDirectory()),
  }
}
