/** How far a run is, on one line of the terminal; now and then a line of its own where there is none. */
export class Progress {
  readonly #count: number
  readonly #began = performance.now()
  #events = 0
  #shownAt = 0
  done = 0

  constructor(count: number) {
    this.#count = count
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000
  }

  advance(events: number): void {
    this.done++
    this.#events += events
    const now = this.seconds
    const isTerminal = process.stderr.isTTY === true
    if (this.done < this.#count && now - this.#shownAt < (isTerminal ? 0.2 : 30)) return
    this.#shownAt = now
    process.stderr.write(isTerminal ? `\r${this.#line(now)}` : `${this.#line(now)}\n`)
  }

  #line(seconds: number): string {
    const bar = '#'.repeat(Math.floor((30 * this.done) / this.#count)).padEnd(30, '.')
    const left = Math.round((seconds / this.done) * (this.#count - this.done))
    const perSecond = Math.round(this.#events / seconds)
    return `[${bar}] ${this.done}/${this.#count} seeds, ${perSecond} events/s, ${left} s left `
  }
}
