import type { RecordKey } from '../../store/record.ts'

const MOST = 4096

/**
 * The last fence of each lock, as far as this process has seen it: the next one that it names is larger. The server's clock alone
 * would do (a fence starts from it), but it is known to a second, and a key may be granted twice within one. It decides nothing:
 * a fence that is not larger is refused, and costs one more request.
 */
export class LastFences {
  readonly #last = new Map<RecordKey, number>()

  saw(key: RecordKey, fence: number): void {
    const larger = Math.max(fence, this.#last.get(key) ?? 0)
    this.#last.delete(key)
    this.#last.set(key, larger)
    const oldest = this.#last.keys().next()
    if (this.#last.size > MOST && !oldest.done) this.#last.delete(oldest.value)
  }

  /** `least`, if the last one was smaller. */
  next(key: RecordKey, least: number): number {
    return Math.max(least, (this.#last.get(key) ?? 0) + 1)
  }
}
