import { useEffect, useRef } from "react"

export default function Contract() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Contract", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
