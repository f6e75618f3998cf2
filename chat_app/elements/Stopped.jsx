import { useEffect, useRef } from "react"

export default function Stopped() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Stopped", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
