import { devNull } from 'node:os'

/**
 * Clears an environment of every AWS account, profile, region and file of the user's, for this process and those that it
 * starts: the demo talks to this machine only.
 */
export function clearAws(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) if (name.startsWith('AWS_')) delete env[name]
  env['AWS_CONFIG_FILE'] = devNull
  env['AWS_SHARED_CREDENTIALS_FILE'] = devNull
  env['AWS_EC2_METADATA_DISABLED'] = 'true'
}

/** @throws Error for an endpoint that another machine may answer. */
export function requireLoopback(endpoint: string): string {
  const { hostname } = new URL(endpoint)
  if (hostname === '127.0.0.1' || hostname === '[::1]') return endpoint
  throw new Error(`The demo talks to this machine only, not to ${hostname}. Use an endpoint on 127.0.0.1.`)
}
