/**
 * A TCP proxy in front of a server, which can do what networks and servers do.
 */
import * as net from "node:net"

export interface Proxy {
  readonly port: number
  /** Connections stay open, and nothing goes through; new ones are accepted and hear nothing. */
  readonly hang: () => void
  /** Connections break, and new ones are refused. */
  readonly refuse: () => Promise<void>
  /** All is as it was; what was held up goes through. */
  readonly restore: () => Promise<void>
  readonly close: () => Promise<void>
}

export const startProxy = async (target: number): Promise<Proxy> => {
  const pairs = new Set<readonly [net.Socket, net.Socket]>()
  let isHanging = false
  const accept = (client: net.Socket): void => {
    const upstream = net.connect(target, "127.0.0.1")
    const pair = [client, upstream] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on("data", (data) => to.write(data)).on("error", () => {})
      from.on("close", () => (pairs.delete(pair), to.destroy()))
      if (isHanging) from.pause()
    }
  }
  let server = net.createServer(accept)
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server = net.createServer(accept).on("error", reject)
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        resolve(typeof address === "object" && address !== null ? address.port : port)
      })
    })
  const port = await listen(0)
  const refuse = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const sockets of pairs) for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    port,
    hang: () => {
      isHanging = true
      for (const sockets of pairs) for (const socket of sockets) socket.pause()
    },
    refuse,
    restore: async () => {
      isHanging = false
      for (const sockets of pairs) for (const socket of sockets) socket.resume()
      if (!server.listening) await listen(port)
    },
    close: refuse
  }
}
