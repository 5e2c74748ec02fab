/** Says on standard error what is being measured: in one line that is rewritten on a terminal, else a line for each part. */
export class Progress {
  readonly #terminal = process.stderr.isTTY === true
  #part = ''
  #startedAt = 0

  begin(part: string): void {
    this.#part = part
    this.#startedAt = performance.now()
    if (!this.#terminal) process.stderr.write(`${part} …\n`)
  }

  step(done: number, of: number, what: string): void {
    const percent = of === 0 ? 100 : Math.floor((done / of) * 100)
    if (this.#terminal) this.#rewrite(`${this.#part}  ${String(percent).padStart(3)} %  ${what}`)
  }

  end(): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(0)
    const line = `${this.#part}  done in ${seconds} s`
    if (this.#terminal) this.#rewrite('')
    process.stderr.write(`${line}\n`)
  }

  #rewrite(line: string): void {
    process.stderr.write(`\r\u001b[2K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`)
  }
}
