// A client-go program against the API server: lists, watches, creates, patches, follows logs. Prints one word per step; test/wire/client-go.test.ts reads them.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func check(step string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", step, err)
		os.Exit(1)
	}
	fmt.Println(step)
}

// followLog reads a container's log line by line until the container ends.
func followLog(ctx context.Context, client *kubernetes.Clientset, name string) {
	pods := client.CoreV1().Pods("default")
	_, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name: "a", Image: "busybox", Command: []string{"sh", "-c", "echo one; sleep 1; echo two; sleep 1; echo three"},
			}},
		},
	}, metav1.CreateOptions{})
	check("pod", err)
	for {
		pod, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			check("pod starts", err)
		}
		if pod.Status.Phase != corev1.PodPending {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stream, err := pods.GetLogs(name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	check("follow", err)
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		fmt.Println("log " + lines.Text())
	}
	check("log ended", lines.Err())
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	check("config", err)
	config.ContentType = os.Args[2]
	client, err := kubernetes.NewForConfig(config)
	check("client", err)

	seen := make(chan string, 100)
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err = factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { seen <- "added " + o.(*corev1.ConfigMap).Name },
		UpdateFunc: func(_, o any) { seen <- "updated " + o.(*corev1.ConfigMap).Name + " " + o.(*corev1.ConfigMap).Data["a"] },
		DeleteFunc: func(o any) { seen <- "deleted " + o.(*corev1.ConfigMap).Name },
	})
	check("handler", err)
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			check("sync", fmt.Errorf("%v did not sync", kind))
		}
	}
	check("synced", nil)
	wait := func(want string) {
		for {
			select {
			case got := <-seen:
				if got == want {
					check("saw: "+want, nil)
					return
				}
			case <-ctx.Done():
				check("saw: "+want, ctx.Err())
			}
		}
	}

	name := "client-go-" + os.Args[3]
	maps := client.CoreV1().ConfigMaps("default")
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": "1"}}, metav1.CreateOptions{})
	check("create", err)
	wait("added " + name)
	_, err = maps.Patch(ctx, name, types.StrategicMergePatchType, []byte(`{"data":{"a":"2"}}`), metav1.PatchOptions{})
	check("patch", err)
	wait("updated " + name + " 2")
	list, err := maps.List(ctx, metav1.ListOptions{Limit: 1})
	check("list", err)
	if len(list.Items) != 1 || list.Continue == "" {
		check("paged list", fmt.Errorf("%d items, continue %q", len(list.Items), list.Continue))
	}
	check("delete", maps.Delete(ctx, name, metav1.DeleteOptions{}))
	wait("deleted " + name)
	_, err = maps.Get(ctx, name, metav1.GetOptions{})
	if err == nil || err.Error() != fmt.Sprintf("configmaps %q not found", name) {
		check("not found", fmt.Errorf("unexpected: %v", err))
	}
	check("not found", nil)
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	check(fmt.Sprintf("nodes %d", len(nodes.Items)), err)
	followLog(ctx, client, name)
	document, err := client.Discovery().OpenAPISchema()
	check("openapi", err)
	if found := len(document.GetPaths().GetPath()); found < 200 {
		check("paths", fmt.Errorf("only %d", found))
	}
}
