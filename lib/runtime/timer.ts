export interface Timer {
  /**
   * Calls `action` once after `ms` milliseconds, unless the returned function was called before.
   *
   * Somebody waits for a `foreground` timer (the default), so it keeps the process alive; a `background` one (a renewal,
   * a lease's end) does not.
   */
  after(ms: number, action: () => void, ground?: 'foreground' | 'background'): () => void
}

/** `setTimeout` fires at once when asked for more. */
const LONGEST_MS = 2_147_483_647

export const systemTimer: Timer = {
  after(ms, action, ground = 'foreground') {
    const handle = setTimeout(action, Math.min(Math.max(ms, 0), LONGEST_MS))
    if (ground === 'background') handle.unref()
    return () => clearTimeout(handle)
  },
}
