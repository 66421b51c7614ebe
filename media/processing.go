package media

// AudioProcessing says what an AudioProcessor does to the microphone's sound. The zero
// value leaves it as it is.
type AudioProcessing struct {
	Echo     bool // take out what the speaker plays
	Noise    bool // take out what is steady: fans, hum, hiss
	Gain     bool // bring every voice to the same level
	HighPass bool // take out what is below any voice: rumble, mains
}

// Voice is what an AudioProcessor heard in a block.
type Voice uint8

// The verdicts. Unknown is the verdict of processors that do not listen for voices.
const (
	VoiceUnknown Voice = iota
	VoiceAbsent
	VoicePresent
)

// AudioProcessor improves the sound of one microphone, of one channel, 10 ms at a time. Its
// methods may be called from any goroutine: Played is meant for the speaker's and Process
// for the microphone's, and neither waits for the other. Apart from Configure and Reset
// nothing allocates.
type AudioProcessor interface {
	// Configure changes what is done from the next block on. What this system cannot do
	// is left out, and named by an ErrUnsupported; the rest is done all the same.
	Configure(AudioProcessing) error
	// Played tells what the speaker plays next: BlockSamples*SpeakerChannels samples,
	// another number is ErrFormat. Nothing of pcm is kept.
	Played(pcm []int16) error
	// Process works on the next BlockSamples samples of the microphone in place; another
	// number is ErrFormat. After an error pcm is as it was.
	Process(pcm []int16) (Voice, error)
	// Skip takes the place of Process for a block that nobody is going to hear: it keeps
	// speaker and microphone together, and costs little.
	Skip() error
	// Reset tells that the microphone or the speaker is another one now.
	Reset()
	Stats() AudioProcessorStats
	// Close frees everything; after it, all calls but Close fail. It is idempotent.
	Close() error
}

// AudioProcessorStats is what an AudioProcessor can tell of its work.
type AudioProcessorStats struct {
	Delay    float64 // from Played to the echo in the microphone, in ms; 0 while unknown
	Drift    float64 // of the speaker's clock against the microphone's, in parts per million
	Enhanced float64 // how much quieter echo is made, in dB; 0 while there is none
	Late     uint64  // blocks that the speaker had not been given when they were needed
	Dropped  uint64  // blocks of the speaker that the microphone never asked for
}
