import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT, temporaryFolder } from './synthesis.ts'

/** Nobody listens there: whatever wants to leave the machine fails. */
const NOWHERE = 'http://127.0.0.1:9'

export interface Ran {
  readonly output: string
  /** The cloud assembly. */
  readonly folder: string
}

/** `npx cdk …` as a newcomer runs it, on a machine without network and credentials. */
export async function cdk(...args: readonly string[]): Promise<Ran> {
  const folder = temporaryFolder()
  const home = temporaryFolder()
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(ROOT, 'node_modules/aws-cdk/bin/cdk'), ...args, '--output', folder],
    {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        AWS_EC2_METADATA_DISABLED: 'true',
        HTTP_PROXY: NOWHERE,
        HTTPS_PROXY: NOWHERE,
        NO_COLOR: '1',
      },
    },
  )
  return { output: stdout + stderr, folder }
}
