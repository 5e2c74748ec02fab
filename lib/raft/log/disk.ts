/**
 * One directory on a disk: all that the log needs of the outside. `nodeDisk` is the real one; the simulated twin, with its
 * power cuts, is `test/simulation/disk.ts`.
 *
 * Names are plain file names. Failures are errors with the operating system's `code` (`EIO`, `ENOSPC`, `ENOENT`, …).
 */
export interface Disk {
  list(): Promise<readonly string[]>
  open(name: string): Promise<DiskFile>
  /** Makes an empty file, or empties the one that is there. Its name is durable only after `syncDirectory`. */
  create(name: string): Promise<DiskFile>
  /** Replaces `to` in one step; durable only after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  syncDirectory(): Promise<void>
}

export interface DiskFile {
  size(): Promise<number>
  /** Fewer bytes than asked for only at the file's end. The caller may keep them. */
  read(offset: number, bytes: number): Promise<Uint8Array>
  /**
   * Resolves when the bytes are on the disk, not before (`O_DSYNC`). After a rejection, or a crash on the way, any part of
   * them may be there: whole sectors, beginnings of sectors, nothing. `bytes` must not change until then.
   */
  writeDurably(offset: number, bytes: Uint8Array): Promise<void>
  /** Gives the new file `bytes` zeros that occupy the disk, so that later writes within need no more room. */
  preallocate(bytes: number): Promise<void>
  /** Content and size are on the disk; the name is not (see `syncDirectory`). */
  sync(): Promise<void>
  close(): Promise<void>
}

/** The operating system's code of a failure: `EIO`, `ENOSPC`, … */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
