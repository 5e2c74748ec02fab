import { AwsError, toXml } from './query-protocol.ts'

export interface S3Request {
  readonly method: string
  /** `/bucket/key`: with an IP address for a host the SDK writes the bucket into the path. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}
export interface S3Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** Buckets and what is in them. */
export class S3 {
  readonly #region: string
  readonly #buckets = new Map<string, Map<string, Buffer>>()

  constructor(region: string) {
    this.#region = region
  }

  createBucket(name: string): void {
    this.#buckets.set(name, new Map())
  }
  deleteBucket(name: string): void {
    this.#buckets.delete(name)
  }
  get buckets(): readonly string[] {
    return [...this.#buckets.keys()]
  }
  /** @throws AwsError `NoSuchBucket`, `NoSuchKey` */
  object(bucket: string, key: string): Buffer {
    const found = this.#bucket(bucket).get(key)
    if (!found) throw new AwsError('NoSuchKey', `There is no ${key} in ${bucket}`, 404)
    return found
  }
  keys(bucket: string): readonly string[] {
    return [...this.#bucket(bucket).keys()]
  }

  answer({ method, path, query, headers, body }: S3Request): S3Answer {
    const [, bucket = '', key = ''] = /^\/([^/]+)\/?(.*)$/.exec(decodeURIComponent(path)) ?? []
    if (key === '') return this.#answerOnBucket(bucket, query)
    switch (method) {
      case 'PUT':
        this.#bucket(bucket).set(key, plain(body, headers))
        return { status: 200, headers: { etag: '"etag"' } }
      case 'HEAD':
        return { status: 200, headers: { 'content-length': String(this.object(bucket, key).length) } }
      case 'GET':
        return { status: 200, body: this.object(bucket, key) }
      default:
        throw new AwsError('MethodNotAllowed', `${method} is not played`, 405)
    }
  }

  #answerOnBucket(bucket: string, query: URLSearchParams): S3Answer {
    const objects = this.#bucket(bucket)
    if (query.has('location')) return { status: 200, body: toXml({ LocationConstraint: this.#region }) }
    if (query.get('list-type') === '2') {
      const prefix = query.get('prefix') ?? ''
      const found = [...objects].filter(([key]) => key.startsWith(prefix))
      const contents = found.map(([Key, { length }]) => `<Contents>${toXml({ Key, Size: length })}</Contents>`).join('')
      return { status: 200, body: `<ListBucketResult><KeyCount>${found.length}</KeyCount>${contents}</ListBucketResult>` }
    }
    // No default encryption is news to the asset publisher, and no reason to stop.
    if (query.has('encryption')) throw new AwsError('ServerSideEncryptionConfigurationNotFoundError', 'Not set', 404)
    return { status: 200 }
  }

  #bucket(name: string): Map<string, Buffer> {
    const found = this.#buckets.get(name)
    if (!found) throw new AwsError('NoSuchBucket', `There is no bucket ${name}`, 404)
    return found
  }
}

/** The SDK sends a stream in signed chunks, each with its length before it. */
function plain(body: Buffer, headers: S3Request['headers']): Buffer {
  if (!String(headers['content-encoding'] ?? '').includes('aws-chunked')) return body
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.subarray(at, end).toString(), 16)
    if (!(length > 0)) return Buffer.concat(parts)
    parts.push(body.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
}
