package frame

import "encoding/binary"

// SettingID names a setting (RFC 9113 §6.5.2).
type SettingID uint16

const (
	TableSize       SettingID = 1
	EnablePush      SettingID = 2
	MaxStreams      SettingID = 3
	InitialWindow   SettingID = 4
	MaxFrame        SettingID = 5
	MaxFieldSection SettingID = 6
	ConnectProtocol SettingID = 8 // RFC 8441 §3
	NoOldPriorities SettingID = 9 // RFC 9218 §2.1
)

const settingLen = 6

// Setting is one parameter of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = Append(dst, settingLen*len(settings), Settings, 0, 0)
	for _, s := range settings {
		dst = appendUint32(append(dst, byte(s.ID>>8), byte(s.ID)), s.Value)
	}
	return dst
}

// AppendSettingsAck appends the acknowledgement of a SETTINGS frame.
func AppendSettingsAck(dst []byte) []byte { return Append(dst, 0, Settings, Ack, 0) }

// Peer is what the other side has announced. DefaultPeer returns what holds
// before it has announced anything.
type Peer struct {
	TableSize       uint32
	Push            bool
	MaxStreams      uint32
	InitialWindow   int32
	MaxFrame        int
	MaxFieldSection uint32
	ConnectProtocol bool
}

// DefaultPeer returns the initial values (RFC 9113 §6.5.2).
func DefaultPeer() Peer {
	return Peer{
		TableSize: 4096, Push: true, MaxStreams: 1<<32 - 1, InitialWindow: DefaultWindow,
		MaxFrame: MinMaxFrame, MaxFieldSection: 1<<32 - 1,
	}
}

// Apply takes the payload of a SETTINGS frame that Check has passed. What it
// returns, but NoError, ends the connection.
func (p *Peer) Apply(payload []byte) Code {
	for ; len(payload) >= settingLen; payload = payload[settingLen:] {
		value := binary.BigEndian.Uint32(payload[2:])
		switch SettingID(binary.BigEndian.Uint16(payload)) {
		case TableSize:
			p.TableSize = value
		case EnablePush:
			if value > 1 {
				return ProtocolError
			}
			p.Push = value == 1
		case MaxStreams:
			p.MaxStreams = value
		case InitialWindow:
			if value > MaxWindow {
				return FlowControlError
			}
			p.InitialWindow = int32(value)
		case MaxFrame:
			if value < MinMaxFrame || value > MaxMaxFrame {
				return ProtocolError
			}
			p.MaxFrame = int(value)
		case MaxFieldSection:
			p.MaxFieldSection = value
		case ConnectProtocol:
			if value > 1 || (p.ConnectProtocol && value == 0) { // RFC 8441 §3
				return ProtocolError
			}
			p.ConnectProtocol = value == 1
		}
	}
	return NoError
}
