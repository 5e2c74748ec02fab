import { expect, test } from 'vitest'
import { clearAws } from '../../demo/environment.ts'
import { loopback } from '../../scripts/dynamodb-local.ts'

test('Nothing of an AWS account stays in the environment', () => {
  const env: NodeJS.ProcessEnv = {
    PATH: '/bin',
    AWS_PROFILE: 'production',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL: 'https://example.com',
    AWS_CONFIG_FILE: '/home/me/.aws/config',
  }
  clearAws(env)
  const left = Object.keys(env).sort()
  expect(left).toEqual(['AWS_CONFIG_FILE', 'AWS_EC2_METADATA_DISABLED', 'AWS_SHARED_CREDENTIALS_FILE', 'PATH'])
  expect(env['AWS_CONFIG_FILE']).not.toContain('home')
})

test.each(['http://127.0.0.1:8000', 'http://[::1]:8000'])('%s is this machine', (endpoint) => {
  expect(loopback(endpoint)).toBe(endpoint)
})

test.each(['https://dynamodb.eu-central-1.amazonaws.com', 'http://10.0.0.7:8000', 'http://127.0.0.1.example.com'])(
  '%s may be another machine, and is refused',
  (endpoint) => {
    expect(() => loopback(endpoint)).toThrow('not on this machine')
  },
)
