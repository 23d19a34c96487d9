package stack

import (
	"context"
	"errors"

	"github.com/dokku-go/dokku/plugins-core/internal/dockerapi"
	"github.com/dokku-go/dokku/plugins-core/internal/stackimage"
)

// childImage builds what a Dockerfile that begins with it stands beside, or, run, what a repository has
// (toolchain-2014, section 10).
const childImage = "tutum/buildstep:latest"

// child makes the child of the default stack, unless somebody else's image has its name. The programs are the stack's.
func (n *creation) child(ctx context.Context, parent *dockerapi.Image) (err error) {
	free, old, err := n.free(ctx, childImage, map[string]string{stackimage.LabelName: childImage, stackimage.LabelFrom: n.ref})
	hash := hashOf("child", parent.ID)
	if err != nil || !free || old != nil && old.Labels[stackimage.LabelContent] == hash || parent.Labels[stackimage.LabelKind] != string(stackimage.Ours) {
		return err
	}
	id, err := n.engine.Create(ctx, dockerapi.Spec{Kind: containers, Image: parent.ID, Cmd: []string{"/bin/true"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.engine.Remove(context.WithoutCancel(ctx), id)) }()
	if old != nil {
		if err := n.replacing(old.ID); err != nil {
			return err
		}
	}
	_, err = n.engine.CommitWithComment(ctx, id, childImage, stackimage.MadeHere, nil,
		[]string{`ENTRYPOINT ["/run.sh"]`, "CMD []", "ONBUILD RUN mkdir -p /app", "ONBUILD ADD . /app", "ONBUILD RUN /build/builder"},
		map[string]string{dockerapi.LabelInstance: "", stackimage.LabelName: childImage, stackimage.LabelContent: hash, stackimage.LabelFrom: n.ref})
	return err
}
