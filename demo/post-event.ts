import type { APIGatewayProxyEventV2 } from 'aws-lambda'

/** POST /payments as API Gateway hands it to a function (payload format 2.0). */
export function postEvent(body: object): APIGatewayProxyEventV2 {
  const http = { method: 'POST', path: '/payments', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'demo' }
  return {
    version: '2.0',
    routeKey: 'POST /payments',
    rawPath: '/payments',
    rawQueryString: '',
    headers: { 'content-type': 'application/json' },
    requestContext: {
      accountId: '000000000000',
      apiId: 'demo',
      domainName: 'localhost',
      domainPrefix: 'localhost',
      http,
      requestId: 'demo',
      routeKey: 'POST /payments',
      stage: '$default',
      time: '01/Jan/2026:00:00:00 +0000',
      timeEpoch: 1_767_225_600_000,
    },
    body: JSON.stringify(body),
    isBase64Encoded: false,
  }
}
