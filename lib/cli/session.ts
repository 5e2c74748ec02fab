import { configInvalid } from '../store/errors.ts'
import type { Backend } from './backend.ts'
import { type Paint, paintWith } from './columns.ts'
import { jsonLine, printable } from './printable.ts'
import type { Surroundings } from './surroundings.ts'

/** Options that every command takes. */
export interface CommonOptions {
  readonly table?: string | undefined
  readonly namespace: string
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  readonly json?: boolean | undefined
  /** `--no-color` makes it false. */
  readonly color: boolean
}

type DynamoDBModule = typeof import('./dynamodb/dynamodb-backend.ts')

/** One command at work: where it reads, and how it speaks. */
export class Session {
  readonly surroundings: Surroundings
  readonly options: CommonOptions
  readonly paint: Paint

  constructor(surroundings: Surroundings, options: CommonOptions) {
    this.surroundings = surroundings
    this.options = options
    const { env, out } = surroundings
    this.paint = paintWith(options.color && out.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb')
  }

  get json(): boolean {
    return this.options.json === true
  }

  /** What was asked for: for people as text, for programs as one JSON object on a line. */
  tell(value: object, text: string): void {
    this.surroundings.out.write(this.json ? `${jsonLine(value)}\n` : text)
  }

  /** Beside what was asked for: on standard error, so that a pipe gets the answer only. */
  note(text: string): void {
    this.surroundings.err.write(`alonce: ${printable(text)}\n`)
  }

  async open(): Promise<Backend> {
    const { openDynamoDB } = await this.#dynamodb()
    return openDynamoDB(this.#place())
  }

  async createTable(): Promise<{ readonly tableName: string; readonly created: boolean }> {
    const { createDevelopmentTable } = await this.#dynamodb()
    const place = this.#place()
    return { tableName: place.tableName, created: await createDevelopmentTable(place) }
  }

  #place(): { tableName: string; namespace: string; region: string | undefined; endpoint: string | undefined } {
    const { table, namespace, region, endpoint } = this.options
    const tableName = table ?? this.surroundings.env['ALONCE_TABLE']
    if (!tableName) throw configInvalid('--table', 'is missing: give the name of the table, or set ALONCE_TABLE.')
    return { tableName, namespace, region, endpoint }
  }

  async #dynamodb(): Promise<DynamoDBModule> {
    try {
      return await import('./dynamodb/dynamodb-backend.ts')
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause
      const found = /'(@aws-sdk\/[\w-]+)/.exec(String((cause as Error).message))?.[1] ?? '@aws-sdk/client-dynamodb'
      throw configInvalid('--table', `is a DynamoDB table, and the AWS SDK is not installed here. Run: npm install ${found}`)
    }
  }
}
