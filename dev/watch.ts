import { watch } from 'node:fs'
import { join } from 'node:path'

/** Editors write a file in several steps, and several files at once. */
const QUIET_MS = 100

/**
 * Calls `onChange` with the files that have changed, once they are left alone for a moment, and not again before it is done.
 *
 * @returns the way to stop
 */
export function watchSources(folders: readonly string[], onChange: (files: readonly string[]) => Promise<void>): () => void {
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let working = false

  const work = async (): Promise<void> => {
    if (working || changed.size === 0) return
    working = true
    const files = [...changed]
    changed.clear()
    await onChange(files).finally(() => {
      working = false
    })
    await work()
  }
  const watchers = folders.map((folder) =>
    watch(folder, { recursive: true }, (_kind, name) => {
      if (!name?.endsWith('.ts')) return
      changed.add(join(folder, name))
      clearTimeout(timer)
      timer = setTimeout(() => void work(), QUIET_MS)
    }),
  )
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}
